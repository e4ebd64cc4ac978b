"""What catches the eye in a picture."""
