"""Training one model: workflow, input pipeline, fitting, checkpoints, report."""
