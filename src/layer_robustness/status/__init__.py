"""What is built, what is missing, what runs, and how long the rest takes."""
