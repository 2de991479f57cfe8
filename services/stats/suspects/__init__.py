"""Groups of clients whose joint behaviour is not that of people: evidence → findings."""
