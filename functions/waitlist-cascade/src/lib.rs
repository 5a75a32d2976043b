//! Offers a free slot to the next fair person, again and again until it is filled
