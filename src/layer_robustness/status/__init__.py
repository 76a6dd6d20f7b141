"""What is built, what is missing, and how long the rest takes."""
