"""What an own model costs and keeps of itself in the protocol, before anybody runs it: ``capc model check``."""
