"""Would another room give the same score? Plans, records, statistics and reports of consistency."""
