"""What a run was asked to do: options, their file, and the plan that they make."""
