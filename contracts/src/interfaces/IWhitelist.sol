// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {HubRecord, WalletState} from "../types/Wallet.sol";

/// @title IWhitelist
/// @notice The register of hubs: who owns which wallet, where the hub is reached and what it calls itself.
/// @dev Wallet state and registration time are not stored here but read from the wallet: one fact, one place.
interface IWhitelist {
    /* TYPES */

    /// @notice A line of the register.
    struct Hub {
        address wallet;
        address owner;
        uint64 listedAt; // when the factory made the wallet
        uint64 registeredAt; // zero before the first registration
        WalletState state;
        HubRecord record; // empty before the first registration
    }

    /// @notice The text fields of a record.
    enum RecordField {
        Endpoint,
        Name,
        Description
    }

    /* EVENTS */

    /// @notice The factory made a wallet.
    event HubListed(address indexed wallet, address indexed owner);
    /// @notice The DAO admitted another factory, or lets one list no more wallets.
    event FactoryAdmitted(address indexed factory, bool admitted);
    /// @notice A hub froze its stake and gave its record.
    event HubRegistered(address indexed wallet, address indexed owner, HubRecord record);
    /// @notice A hub changed its record.
    event HubRecordChanged(address indexed wallet, address indexed owner, HubRecord record);

    /* ERRORS */

    /// @notice Only admitted factories list wallets; `factory` is the first one.
    error NotFactory(address caller, address factory);
    /// @notice The whitelist knows only wallets the admitted factory made.
    error WalletUnknown(address wallet);
    /// @notice A wallet is listed once.
    error WalletListedAlready(address wallet);
    /// @notice Only the wallet's owner changes its record.
    error NotHubOwner(address caller, address owner);
    /// @notice A record exists from the first registration on.
    error HubNotRegistered(address wallet);
    /// @notice A text of the record is missing or too long.
    error RecordFieldLength(RecordField field, uint256 length, uint256 max);
    /// @notice Only the DAO admits factories.
    error NotWhitelistDao(address caller, address dao);
    /// @notice A factory for another whitelist or DAO, or no factory at all.
    error FactoryForeign(address factory);
    /// @notice A whitelist without a factory could never list anything.
    error FactoryZero();

    /* FUNCTIONS */

    /// @notice Lets another factory list its wallets, or stops one from listing more (GV-24). Only the DAO.
    /// @dev Wallets that are listed stay listed (R13).
    /// @param factory_ A factory made for this whitelist and its DAO.
    /// @param admitted Whether it may list.
    function admit(address factory_, bool admitted) external;

    /// @notice Lists a new wallet. Only admitted factories.
    /// @param wallet The wallet it made.
    /// @param owner Its owner.
    function list(address wallet, address owner) external;

    /// @notice Writes the calling wallet's record. Only listed wallets, which call it when they freeze their stake.
    /// @param record What the hub says about itself; endpoint and name must not be empty.
    function register(HubRecord calldata record) external;

    /// @notice Changes a registered hub's record, for example when it moves.
    /// @dev Only the wallet's owner.
    /// @param wallet The hub's wallet.
    /// @param record The new record.
    function changeRecord(address wallet, HubRecord calldata record) external;

    /// @notice The first factory, which names the DAO.
    /// @return The factory.
    function factory() external view returns (address);

    /// @notice Whether a factory may list wallets.
    /// @param factory_ Any address.
    /// @return True if so.
    function isAdmitted(address factory_) external view returns (bool);

    /// @notice Who admits factories: the DAO of the first one.
    /// @return The DAO's timelock.
    function dao() external view returns (address);

    /// @notice Whether a wallet is listed.
    /// @param wallet Any address.
    /// @return True if an admitted factory made it.
    function isListed(address wallet) external view returns (bool);

    /// @notice How many wallets are listed.
    /// @return The count.
    function hubCount() external view returns (uint256);

    /// @notice The line of one wallet.
    /// @dev Reverts with `WalletUnknown` for anything the factory did not make.
    /// @param wallet A listed wallet.
    /// @return The line.
    function hub(address wallet) external view returns (Hub memory);

    /// @notice A page of the register, in the order of listing.
    /// @param offset How many to skip.
    /// @param limit How many to return at most.
    /// @return page The lines.
    function hubs(uint256 offset, uint256 limit) external view returns (Hub[] memory page);
}
