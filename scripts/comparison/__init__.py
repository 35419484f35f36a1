"""One trial against another: scores and costs item by item, and what they show."""
