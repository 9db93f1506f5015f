"""Training, per-task channel importance, pruning to a budget and feature distillation."""
