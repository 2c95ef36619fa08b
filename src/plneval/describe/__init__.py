"""Panel to measures: who was studied, how alike the arms were, who was lost, and how small an effect can be seen."""
