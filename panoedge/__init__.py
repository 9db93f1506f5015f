"""panoedge"""
