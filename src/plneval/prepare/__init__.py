"""Tables to analysis panel: exposure, standardised outcomes, sample flow."""
