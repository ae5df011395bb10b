"""Who may do what with functions and layers: their policies, and what other accounts may ask."""
