"""What people declare: typed configuration models, and errors with file, line and hint."""
