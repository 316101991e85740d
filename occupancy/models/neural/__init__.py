"""Networks: what they are made of, and the estimator that trains any of them."""
