"""What each method is, as data: nothing here computes, or imports TensorFlow."""
