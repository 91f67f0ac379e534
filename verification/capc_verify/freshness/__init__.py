"""Is evidence that was recorded once still of the code and the statements that it speaks of?"""
