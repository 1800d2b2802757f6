// The equations of the cells in seqlab/cells, in the names used there, and their derivatives.
#include "recurrence.h"
#include "rows.h"

template <bool TANH>
struct Rnn {
    using Order = Gates<0>;
    static constexpr int inputs = 1, blocks = 1;
    static void forward(const Place<Rnn>& at, const V* sums) {
        V before = at.projected(0) + sums[0];
        at.after(0, TANH ? tanh(before) : (before < 0.f ? V{} : before));
    }
    static V backward(const Place<Rnn>& at, V dh) {
        V h = at.after(0);
        at.d_block(0, TANH ? dh * d_tanh(h) : (h > 0.f ? dh : V{}));
        return V{};
    }
};

struct Gru {
    using Order = Gates<2, 0, 1>;  // h_n, r, z
    static constexpr int inputs = 3, blocks = 4;
    enum { H_N, R, Z, N };
    enum { BIAS };
    static void forward(const Place<Gru>& at, const V* sums) {
        V h_n = at.vector(BIAS, 2) + sums[0];
        V r = sigmoid(at.projected(0) + sums[1]), z = sigmoid(at.projected(1) + sums[2]);
        V n = tanh(at.projected(2) + r * h_n);
        at.block(H_N, h_n), at.block(R, r), at.block(Z, z), at.block(N, n);
        at.after(0, n + z * (at.before(0) - n));
    }
    static V backward(const Place<Gru>& at, V dh) {
        V h_n = at.block(H_N), r = at.block(R), z = at.block(Z), n = at.block(N);
        V d_n = dh * (1.f - z) * d_tanh(n);
        at.d_block(H_N, d_n * r);
        at.d_block(R, d_n * h_n * d_sigmoid(r));
        at.d_block(Z, dh * (at.before(0) - n) * d_sigmoid(z));
        at.d_block(N, d_n);
        return dh * z;
    }
};

struct Lstm {
    using Order = Gates<0, 1, 2, 3>;
    static constexpr int inputs = 4, blocks = 4;
    enum { I, F, G, O };
    static void forward(const Place<Lstm>& at, const V* sums) {
        V i = sigmoid(at.projected(I) + sums[I]), f = sigmoid(at.projected(F) + sums[F]);
        V g = tanh(at.projected(G) + sums[G]), o = sigmoid(at.projected(O) + sums[O]);
        V c = f * at.before(1) + i * g;
        at.block(I, i), at.block(F, f), at.block(G, g), at.block(O, o);
        at.after(1, c), at.after(0, o * tanh(c));
    }
    static V backward(const Place<Lstm>& at, V dh) {
        V i = at.block(I), f = at.block(F), g = at.block(G), o = at.block(O), shown = tanh(at.after(1));
        V dc = at.d_state(1) + at.incoming(1) + dh * o * d_tanh(shown);
        at.d_block(I, dc * g * d_sigmoid(i));
        at.d_block(F, dc * at.before(1) * d_sigmoid(f));
        at.d_block(G, dc * i * d_tanh(g));
        at.d_block(O, dh * shown * d_sigmoid(o));
        at.d_state(1, dc * f);
        return V{};
    }
};

struct PeepholeLstm {
    using Order = Gates<0, 1, 2, 3>;
    static constexpr int inputs = 4, blocks = 4;
    enum { I, F, G, O };
    enum { W_CI, W_CF, W_CO };
    static void forward(const Place<PeepholeLstm>& at, const V* sums) {
        V before = at.before(1);
        V i = sigmoid(at.projected(I) + sums[I] + at.vector(W_CI) * before);
        V f = sigmoid(at.projected(F) + sums[F] + at.vector(W_CF) * before);
        V g = tanh(at.projected(G) + sums[G]), c = f * before + i * g;
        V o = sigmoid(at.projected(O) + sums[O] + at.vector(W_CO) * c);
        at.block(I, i), at.block(F, f), at.block(G, g), at.block(O, o);
        at.after(1, c), at.after(0, o * tanh(c));
    }
    static V backward(const Place<PeepholeLstm>& at, V dh) {
        V i = at.block(I), f = at.block(F), g = at.block(G), o = at.block(O), shown = tanh(at.after(1));
        V d_o = dh * shown * d_sigmoid(o);
        V dc = at.d_state(1) + at.incoming(1) + dh * o * d_tanh(shown) + d_o * at.vector(W_CO);
        V d_i = dc * g * d_sigmoid(i), d_f = dc * at.before(1) * d_sigmoid(f);
        at.d_block(I, d_i), at.d_block(F, d_f), at.d_block(G, dc * i * d_tanh(g)), at.d_block(O, d_o);
        at.d_state(1, dc * f + d_i * at.vector(W_CI) + d_f * at.vector(W_CF));
        return V{};
    }
};

struct CoupledLstm {
    using Order = Gates<0, 1, 2>;
    static constexpr int inputs = 3, blocks = 3;
    enum { F, G, O };
    static void forward(const Place<CoupledLstm>& at, const V* sums) {
        V f = sigmoid(at.projected(F) + sums[F]), g = tanh(at.projected(G) + sums[G]);
        V o = sigmoid(at.projected(O) + sums[O]);
        V c = g + f * (at.before(1) - g);
        at.block(F, f), at.block(G, g), at.block(O, o);
        at.after(1, c), at.after(0, o * tanh(c));
    }
    static V backward(const Place<CoupledLstm>& at, V dh) {
        V f = at.block(F), g = at.block(G), o = at.block(O), shown = tanh(at.after(1));
        V dc = at.d_state(1) + at.incoming(1) + dh * o * d_tanh(shown);
        at.d_block(F, dc * (at.before(1) - g) * d_sigmoid(f));
        at.d_block(G, dc * (1.f - f) * d_tanh(g));
        at.d_block(O, dh * shown * d_sigmoid(o));
        at.d_state(1, dc * f);
        return V{};
    }
};

struct NoOutputGateLstm {
    using Order = Gates<0, 1, 2>;
    static constexpr int inputs = 3, blocks = 3;
    enum { I, F, G };
    static void forward(const Place<NoOutputGateLstm>& at, const V* sums) {
        V i = sigmoid(at.projected(I) + sums[I]), f = sigmoid(at.projected(F) + sums[F]);
        V g = tanh(at.projected(G) + sums[G]);
        V c = f * at.before(1) + i * g;
        at.block(I, i), at.block(F, f), at.block(G, g);
        at.after(1, c), at.after(0, tanh(c));
    }
    static V backward(const Place<NoOutputGateLstm>& at, V dh) {
        V i = at.block(I), f = at.block(F), g = at.block(G);
        V dc = at.d_state(1) + at.incoming(1) + dh * d_tanh(at.after(0));
        at.d_block(I, dc * g * d_sigmoid(i));
        at.d_block(F, dc * at.before(1) * d_sigmoid(f));
        at.d_block(G, dc * i * d_tanh(g));
        at.d_state(1, dc * f);
        return V{};
    }
};

struct GruBefore {
    using Order = Gates<0, 1>;  // r, z
    using Candidate = Gates<2>;
    static constexpr int inputs = 3, blocks = 3;
    enum { R, Z, N };
    enum { GATED };
    static void gates(const Place<GruBefore>& at, const V* sums) {
        V r = sigmoid(at.projected(R) + sums[R]);
        at.block(R, r), at.block(Z, sigmoid(at.projected(Z) + sums[Z]));
        at.kept(GATED, r * at.before(0));
    }
    static void forward(const Place<GruBefore>& at, V sum) {
        V n = tanh(at.projected(N) + sum);
        at.block(N, n);
        at.after(0, n + at.block(Z) * (at.before(0) - n));
    }
    static void d_candidate(const Place<GruBefore>& at, V dh) {
        V z = at.block(Z), n = at.block(N);
        at.d_block(Z, dh * (at.before(0) - n) * d_sigmoid(z));
        at.d_block(N, dh * (1.f - z) * d_tanh(n));
    }
    static V backward(const Place<GruBefore>& at, V dh, V d_gated) {
        V r = at.block(R);
        at.d_block(R, d_gated * at.before(0) * d_sigmoid(r));
        return dh * at.block(Z) + d_gated * r;
    }
};

struct Mgu {
    using Order = Gates<0>;
    using Candidate = Gates<1>;
    static constexpr int inputs = 2, blocks = 2;
    enum { F, N };
    enum { GATED };
    static void gates(const Place<Mgu>& at, const V* sums) {
        V f = sigmoid(at.projected(F) + sums[F]);
        at.block(F, f);
        at.kept(GATED, f * at.before(0));
    }
    static void forward(const Place<Mgu>& at, V sum) {
        V n = tanh(at.projected(N) + sum), h = at.before(0);
        at.block(N, n);
        at.after(0, h + at.block(F) * (n - h));
    }
    static void d_candidate(const Place<Mgu>& at, V dh) {
        at.d_block(N, dh * at.block(F) * d_tanh(at.block(N)));
    }
    static V backward(const Place<Mgu>& at, V dh, V d_gated) {
        V f = at.block(F), h = at.before(0);
        at.d_block(F, (dh * (at.block(N) - h) + d_gated * h) * d_sigmoid(f));
        return dh * (1.f - f) + d_gated * f;
    }
};

struct LayerNormGru {
    using Order = Gates<0, 1, 2>;
    static constexpr int inputs = 3, blocks = 4;
    enum { H_N, R, Z, N };
    enum { GAIN };
    enum { RAW };
    enum { GATES, CANDIDATE };
    using At = Place<LayerNormGru>;
    static void forward(const Row<LayerNormGru>& row) {
        Moments gates = row.moments(GATES, [](const At& at) { return std::array{raw(at, 0), raw(at, 1)}; });
        Moments candidate = row.moments(CANDIDATE, [](const At& at) { return std::array{raw(at, 2)}; });
        row.each([&](const At& at) {
            V r = sigmoid(at.projected(0) + at.vector(GAIN, 0) * gates.normed(raw(at, 0)));
            V z = sigmoid(at.projected(1) + at.vector(GAIN, 1) * gates.normed(raw(at, 1)));
            V h_n = at.vector(GAIN, 2) * candidate.normed(raw(at, 2)), n = tanh(at.projected(2) + r * h_n);
            at.block(H_N, h_n), at.block(R, r), at.block(Z, z), at.block(N, n);
            at.after(0, n + z * (at.before(0) - n));
        });
    }
    static void backward(const Row<LayerNormGru>& row) {
        Moments gates = row.moments(GATES), candidate = row.moments(CANDIDATE);
        NormGradient<2> to_gates(gates, row.size());
        NormGradient<1> to_candidate(candidate, row.size());
        row.each([&](const At& at) {
            V dh = at.d_state(0), h_n = at.block(H_N), r = at.block(R), z = at.block(Z), n = at.block(N);
            V d_n = dh * (1.f - z) * d_tanh(n), d_r = d_n * h_n * d_sigmoid(r);
            V d_z = dh * (at.before(0) - n) * d_sigmoid(z);
            at.d_block(H_N, d_n * r), at.d_block(R, d_r), at.d_block(Z, d_z), at.d_block(N, d_n);
            at.d_state(0, dh * z);
            to_gates.add(0, d_r * at.vector(GAIN, 0), raw(at, 0));
            to_gates.add(1, d_z * at.vector(GAIN, 1), raw(at, 1));
            to_candidate.add(0, d_n * r * at.vector(GAIN, 2), raw(at, 2));
        });
        to_gates.finish(), to_candidate.finish();
        row.each([&](const At& at) {
            at.d_kept(RAW, to_gates.of(at.d_block(R) * at.vector(GAIN, 0), raw(at, 0)), 3, 0);
            at.d_kept(RAW, to_gates.of(at.d_block(Z) * at.vector(GAIN, 1), raw(at, 1)), 3, 1);
            at.d_kept(RAW, to_candidate.of(at.d_block(H_N) * at.vector(GAIN, 2), raw(at, 2)), 3, 2);
        });
    }

  private:
    static V raw(const At& at, int gate) { return at.kept(RAW, 3, gate); }
};

struct LayerNormLstm {
    using Order = Gates<0, 1, 2, 3>;
    static constexpr int inputs = 4, blocks = 4;
    enum { I, F, G, O };
    enum { GAIN, GAIN_C, BIAS_C };
    enum { RAW, NORMED };
    enum { HH, C };
    using At = Place<LayerNormLstm>;
    static void forward(const Row<LayerNormLstm>& row) {
        Moments hh = row.moments(
            HH, [](const At& at) { return std::array{raw(at, I), raw(at, F), raw(at, G), raw(at, O)}; });
        row.each([&](const At& at) {
            auto before = [&](int gate) {
                return at.projected(gate) + at.vector(GAIN, gate) * hh.normed(raw(at, gate));
            };
            V i = sigmoid(before(I)), f = sigmoid(before(F)), g = tanh(before(G)), o = sigmoid(before(O));
            at.block(I, i), at.block(F, f), at.block(G, g), at.block(O, o);
            at.after(1, f * at.before(1) + i * g);
        });
        Moments c = row.moments(C, [](const At& at) { return std::array{at.after(1)}; });
        row.each([&](const At& at) { at.after(0, at.block(O) * shown(at, c)); });
    }
    static void backward(const Row<LayerNormLstm>& row) {
        Moments hh = row.moments(HH), c = row.moments(C);
        NormGradient<1> to_c(c, row.size());
        NormGradient<4> to_hh(hh, row.size());
        row.each([&](const At& at) {
            V dh = at.d_state(0), o = at.block(O), seen = shown(at, c), d_normed = dh * o * d_tanh(seen);
            at.d_block(O, dh * seen * d_sigmoid(o));
            at.d_kept(NORMED, d_normed);
            at.d_state(0, V{});
            to_c.add(0, d_normed * at.vector(GAIN_C), at.after(1));
        });
        to_c.finish();
        row.each([&](const At& at) {
            V i = at.block(I), f = at.block(F), g = at.block(G);
            V dc = at.d_state(1) + at.incoming(1) + to_c.of(at.d_kept(NORMED) * at.vector(GAIN_C), at.after(1));
            at.d_block(I, dc * g * d_sigmoid(i));
            at.d_block(F, dc * at.before(1) * d_sigmoid(f));
            at.d_block(G, dc * i * d_tanh(g));
            at.d_state(1, dc * f);
            for (int gate = I; gate <= O; gate++)
                to_hh.add(gate, at.d_block(gate) * at.vector(GAIN, gate), raw(at, gate));
        });
        to_hh.finish();
        row.each([&](const At& at) {
            for (int gate = I; gate <= O; gate++)
                at.d_kept(RAW, to_hh.of(at.d_block(gate) * at.vector(GAIN, gate), raw(at, gate)), 4, gate);
        });
    }

  private:
    static V raw(const At& at, int gate) { return at.kept(RAW, 4, gate); }
    static V shown(const At& at, const Moments& c) {
        return tanh(at.vector(GAIN_C) * c.normed(at.after(1)) + at.vector(BIAS_C));
    }
};

#define EXPORT(name, kind, ...)                                     \
    extern "C" void name##_forward(const Run* run, bool by_rows) {  \
        run_all<kind##_forward<__VA_ARGS__>>(*run, by_rows);        \
    }                                                               \
    extern "C" void name##_backward(const Run* run, bool by_rows) { \
        run_all<kind##_backward<__VA_ARGS__>>(*run, by_rows);       \
    }

EXPORT(rnn_tanh, plain, Rnn<true>)
EXPORT(rnn_relu, plain, Rnn<false>)
EXPORT(gru, plain, Gru)
EXPORT(gru_before, gated, GruBefore)
EXPORT(lstm, plain, Lstm)
EXPORT(lstm_peephole, plain, PeepholeLstm)
EXPORT(lstm_coupled, plain, CoupledLstm)
EXPORT(lstm_no_output_gate, plain, NoOutputGateLstm)
EXPORT(mgu, gated, Mgu)
EXPORT(gru_layer_norm, normalized, LayerNormGru)
EXPORT(lstm_layer_norm, normalized, LayerNormLstm)

extern "C" bool has_tiles() { return may_use_tiles(); }
