"""The Haar cascades of OpenCV: objects without a neural network."""
