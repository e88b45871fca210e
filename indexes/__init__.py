"""Finds the vectors nearest to a query; no other package of the project imports FAISS or pymilvus."""
