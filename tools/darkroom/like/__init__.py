"""`like`: an earlier prediction as it was asked for, with what is given beside it changed.

It is turned into a whole request here, before anything else looks at it. What is given wins; a default is not given. Of
the images taken over, those that are read here have to be what they were: that is seen when they are read.
"""

from darkroom.like.wish import Wish, whole

__all__ = ["Wish", "whole"]
