"""Trains an audio encoder and a U-Net 328 together on dataset folders, the takes of one person."""
