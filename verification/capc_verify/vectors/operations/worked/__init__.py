"""Operations of worked examples: parts of larger operations, each judged by itself."""
