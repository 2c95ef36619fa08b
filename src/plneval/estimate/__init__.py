"""Panel and one model's specification → estimates with their covariance matrix and cluster influence functions."""
