"""How well boxes and masks agree with the labels, by the two protocols published for these three tasks."""
