"""The server of BrowserGym."""
