"""What is particular to Professional Learning Networks: registry, conditions, exposure, diffusion, sustainability."""
