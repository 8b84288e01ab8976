"""The default tokenizer, and what it is made of."""
