"""Further processes that speak HTTP for the server: they read and verify the hot calls, and hand on the rest."""
