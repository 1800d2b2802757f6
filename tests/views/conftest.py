from small_fit import data, fit, memory, memory_of

__all__ = ["data", "fit", "memory", "memory_of"]
