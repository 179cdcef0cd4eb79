"""The corpora: the small committed one, the whole matrix, and the one for the benchmark."""
