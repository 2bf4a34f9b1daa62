"""One engine for many inputs: a task, an executor that applies it, a journal to resume from, and the loop of `run`."""
