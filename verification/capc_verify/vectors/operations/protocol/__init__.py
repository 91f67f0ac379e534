"""Operations of sessions, set-ups, messages and steps."""
