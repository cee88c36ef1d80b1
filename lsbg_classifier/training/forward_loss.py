"""The loss of a sample in which some LSBGs are labelled as others; see `label_noise`."""

import keras


class ForwardCrossentropy(keras.losses.BinaryCrossentropy):
    """Binary cross-entropy of labels, some of whose LSBGs are labelled as others.

    Parameters
    ----------
    keep : float
        Part of the true LSBGs that carry the label, in (0, 1]; see `labelled_part`.
    label_smoothing : float
        As of Keras' binary cross-entropy.
    """

    def __init__(self, keep: float, label_smoothing: float = 0.0):
        super().__init__(label_smoothing=label_smoothing, name="forward_crossentropy")
        self.keep = keep

    def call(self, y_true, y_pred):
        """Return the loss of each row: labels against the probability that they are given.

        Parameters
        ----------
        y_true : tensor, shape (rows, 1)
            Labels: 1 for an LSBG, 0 for others.
        y_pred : tensor, shape (rows, 1)
            Probabilities of being an LSBG.

        Returns
        -------
        tensor, shape (rows,)
        """
        return super().call(y_true, self.keep * y_pred)
