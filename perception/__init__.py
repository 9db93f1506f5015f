"""What is perceived, agreed by all rooms: tasks, networks, losses, data sets, metrics and checkpoint files."""
