"""HTTP servers that tests talk to."""

from http.server import ThreadingHTTPServer


class PatientServer(ThreadingHTTPServer):
    """Takes many clients at once: the library's own resets the sixth that comes before it has accepted the first."""

    request_queue_size = 128
    daemon_threads = True
