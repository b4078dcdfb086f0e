"""What ``make run`` starts: the embedded servers, the web server, the worker and beat, watched over by one process."""
