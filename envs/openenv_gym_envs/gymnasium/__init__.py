"""Any registered gymnasium environment behind any transport."""
