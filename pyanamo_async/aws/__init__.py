"""THE PLATFORM: session and clients, what AWS errors mean, the identity of a worker, Spot notices."""
