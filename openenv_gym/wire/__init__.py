"""What both ends of a connection share: messages, their codec, and framing."""
