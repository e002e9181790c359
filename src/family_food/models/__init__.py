"""Language models behind one small port: Gemini, OpenAI-compatible servers, and the offline demo model."""
