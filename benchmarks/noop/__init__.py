"""A kind of job that does nothing, for measuring everything else."""
