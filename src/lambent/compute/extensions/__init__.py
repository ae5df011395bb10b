"""Extensions: the further programs of an environment, and what they are told and may ask."""
