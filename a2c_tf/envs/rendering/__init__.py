"""How environments look: pictures for videos, of states that are given, apart from all rules."""
