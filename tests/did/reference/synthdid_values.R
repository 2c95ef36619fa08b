# Values of R's synthdid on the data of tests/did/did_data.py (few_treated), for tests/did/test_synthetic.py.
#
#   python -c "import did_data; did_data.few_treated().to_csv('few_treated.csv', index=False)"
#   Rscript synthdid_values.R few_treated.csv [folder with synthdid's R sources]
#
# Placebo estimates are of rotations of the comparison units, so that no random numbers are involved.
given <- commandArgs(trailingOnly = TRUE)
if (length(given) > 1) for (name in c("solver.R", "utils.R", "synthdid.R")) source(file.path(given[2], name)) else library(synthdid)
data <- read.csv(given[1])
normalised <- function(x) if (sum(x) != 0) x / sum(x) else rep(1 / length(x), length(x))
again <- function(found, Y, N0, weights, ...) {
  kept <- attr(found, "opts")
  do.call(synthdid_estimate, c(list(Y = Y, N0 = N0, T0 = attr(found, "setup")$T0, weights = weights), modifyList(kept, list(...))))
}
values <- list()
for (entry in sort(unique(data$entry[data$entry > 0]))) {
  part <- data[data$entry %in% c(0, entry), ]
  part <- part[order(part$entry > 0, part$unit, part$year), ]
  years <- sort(unique(part$year))
  Y <- matrix(part$y, ncol = length(years), byrow = TRUE)
  N0 <- sum(part$entry == 0) / length(years)
  T0 <- sum(years < entry)
  for (method in c("synthdid_estimate", "sc_estimate", "did_estimate")) {
    found <- do.call(method, list(Y, N0, T0))
    weights <- attr(found, "weights")
    n <- nrow(Y)
    left_out <- if (n - N0 > 1) sapply(1:n, function(i) {
      ind <- setdiff(1:n, i)
      kept <- list(lambda = weights$lambda, omega = normalised(weights$omega[ind[ind <= N0]]))
      c(again(found, Y[ind, ], sum(ind <= N0), kept, update.omega = FALSE, update.lambda = FALSE))
    }) else NA
    rotated <- sapply(0:4, function(shift) {
      ind <- (0:(N0 - 1) + 7 * shift) %% N0 + 1
      pseudo <- N0 - (n - N0)
      c(again(found, Y[ind, ], pseudo, list(lambda = weights$lambda, omega = normalised(weights$omega[ind[1:pseudo]]))))
    })
    values[[paste(entry, method)]] <- list(
      estimate = c(found), unit = weights$omega, time = weights$lambda, placebo = rotated,
      jackknife = sqrt((n - 1) / n * sum((left_out - mean(left_out))^2))
    )
  }
}
cat(jsonlite::toJSON(values, digits = 16, auto_unbox = TRUE, pretty = TRUE), "\n")
