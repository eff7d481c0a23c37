"""The definition of a word's box in all training data, and therefore in the detector's output.

A box reaches from 0.76 em above the baseline to 0.24 em below it, whatever letters the word has, and from the left end
to the right end of the word's ink. The height of a box is thus one em.
"""

ASCENT_EM, DESCENT_EM = 0.76, 0.24
