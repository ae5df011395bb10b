"""How the processes of an environment are started, held in and ended: one contract, a module per level."""
