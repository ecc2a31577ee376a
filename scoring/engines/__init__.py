"""SQL engines behind one interface, chosen by URL (requirement C3)."""
