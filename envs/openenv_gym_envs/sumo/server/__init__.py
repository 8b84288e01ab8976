"""The server of SumoRL."""
