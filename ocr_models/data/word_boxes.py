"""What a word's box is, in all training data, and so in what the detector answers.

It goes from 0.76 em above the baseline to 0.24 em below it, whatever letters the word has, and from the left to the
right end of its ink: one em is the height of a box.
"""

ASCENT_EM, DESCENT_EM = 0.76, 0.24
