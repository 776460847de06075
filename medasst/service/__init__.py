"""The assistant for people and programs: the OpenAI-compatible API with its chat page, and a chat in the terminal."""
