"""THE PLATFORM: session and clients, what its errors mean, who am I. Below stores and outputs, which use it."""
